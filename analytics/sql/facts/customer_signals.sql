-- Whether a customer has an early-warning signal of each kind among the rows that the caller selects.
-- grain: fragment after select; one aggregate per group of customer_key over table signal
-- columns: true or false; a customer without a row of table signal is not in the result at all
    bool_or(kind = 'income_halved') as has_signal_income_halved,
    bool_or(kind = 'collateral_sealed') as has_signal_collateral_sealed,
    bool_or(kind = 'frequent_enquiries') as has_signal_frequent_enquiries,
    bool_or(kind = 'contact_changed') as has_signal_contact_changed,
    bool_or(kind = 'court_notice') as has_signal_court_notice,
    bool_or(kind = 'registry_change') as has_signal_registry_change,
    bool_or(kind = 'public_opinion') as has_signal_public_opinion,
