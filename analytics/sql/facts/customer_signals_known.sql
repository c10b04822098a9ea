-- The signal facts of every customer, those without a signal included.
-- grain: fragment after select; one value per customer, left-joined to the alias "warned"
-- parameters: has_signals (whether the bank delivers table signal)
-- columns: false for a customer without a signal; null for everybody where the table is not delivered
    coalesce(warned.has_signal_income_halved, case when $has_signals then false end) as has_signal_income_halved,
    coalesce(warned.has_signal_collateral_sealed, case when $has_signals then false end)
        as has_signal_collateral_sealed,
    coalesce(warned.has_signal_frequent_enquiries, case when $has_signals then false end)
        as has_signal_frequent_enquiries,
    coalesce(warned.has_signal_contact_changed, case when $has_signals then false end) as has_signal_contact_changed,
    coalesce(warned.has_signal_court_notice, case when $has_signals then false end) as has_signal_court_notice,
    coalesce(warned.has_signal_registry_change, case when $has_signals then false end) as has_signal_registry_change,
    coalesce(warned.has_signal_public_opinion, case when $has_signals then false end) as has_signal_public_opinion,
