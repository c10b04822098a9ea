-- The attributes of every customer as known at the month end: the newest version valid by then; and the classes that follow
-- from them alone, decided anew only where a version, or an age or a year of wages that a rule asks for, is new.
-- grain: customer_key
create or replace temp table customer_touched as
select customer_key, max(valid_from) as valid_from,
from (
    select customer_key, valid_from from customer where valid_from > :previous and valid_from <= :as_of
    union all
    select customer_key, valid_from from part.kept.customer where :is_first and valid_from <= :as_of
    union all
    select customer_key, valid_from from customer_now
)
where customer_key in (
    select customer_key from customer where valid_from > :previous and valid_from <= :as_of
    union all
    select customer_key from part.kept.customer where :is_first and valid_from <= :as_of
    union all
    select customer_key from customer_now where :is_regraded or {turned}
)
group by customer_key;

create or replace temp table customer_arrived as
with

known as (
    select
        attribute.*,
        {facts}
    from customer as attribute
    join customer_touched as touched
        on touched.customer_key = attribute.customer_key and touched.valid_from = attribute.valid_from
),

graded as (
    select
        {names},
        {graded},
    from known
)

select
    attribute.*,
    before.* exclude ({replaced}),
from graded as attribute
left join customer_now as before on before.customer_key = attribute.customer_key;

delete from customer_now
where customer_key in (select customer_key from customer_touched);

insert into customer_now by name select * from customer_arrived
