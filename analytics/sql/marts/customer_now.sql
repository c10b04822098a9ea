-- The attributes of every customer as known at the month end: the newest version valid by then; and the classes that follow
-- from them alone, decided anew only where a version, or an age or a year of wages that a rule asks for, is new.
-- grain: customer_key
create or replace temp table customer_touched as
with

versions as (
    select customer_key, max(valid_from) as valid_from,
    from customer_known
    where valid_from <= :as_of and (valid_from > :previous or (:is_first and is_delivered))
    group by customer_key
),

chosen as (
    select customer_key, valid_from from versions
    union all
    select customer_key, valid_from from customer_now where :is_regraded or {turned}
    union all
    select before.customer_key, before.valid_from
    from customer_now as before
    semi join versions on versions.customer_key = before.customer_key
)

select customer_key, max(valid_from) as valid_from,
from chosen
group by customer_key;

create or replace temp table customer_arrived as
with

known as (
    select
        attribute.*,
        {facts}
    from customer_known as attribute
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
