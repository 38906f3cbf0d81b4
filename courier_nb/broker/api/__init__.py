"""The REST APIs of the broker: Courier, Accounts, Admin, Stats."""
