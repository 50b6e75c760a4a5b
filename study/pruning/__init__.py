"""Which weights go, how many, and when: scores, allocations, schedules, masks and their ledger."""
