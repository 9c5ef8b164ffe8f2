"""`tuisim count`: the ledger of a network."""
