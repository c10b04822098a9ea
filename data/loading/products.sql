-- Fills current.product with the latest declaration of every product.
-- grain: one row per product, ordered by key
-- placeholders: declarations (delivered and older rows: product_id, name, name_en, family, age)
insert into part.current.product
with latest as (
    select *
    from {declarations}
    qualify row_number() over (partition by product_id order by age) = 1
)

select
    ref.product_key,
    ref.product_id,
    coalesce(latest.name, ref.product_id) as name,
    latest.name_en,
    latest.family
from product_ref as ref
left join latest on latest.product_id = ref.product_id
order by ref.product_key
