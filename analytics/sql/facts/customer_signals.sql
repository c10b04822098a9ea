-- Kinds of signals of a customer, from the rows of `signal` of his last three months.
bool_or(kind = 'income_halved') as has_signal_income_halved,
bool_or(kind = 'collateral_sealed') as has_signal_collateral_sealed,
bool_or(kind = 'frequent_enquiries') as has_signal_frequent_enquiries,
bool_or(kind = 'contact_changed') as has_signal_contact_changed,
bool_or(kind = 'court_notice') as has_signal_court_notice,
bool_or(kind = 'registry_change') as has_signal_registry_change,
bool_or(kind = 'public_opinion') as has_signal_public_opinion,
