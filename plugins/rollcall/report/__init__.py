"""Report: how the night ended, for the district (a receipt), the operators (a notice) and the ledger (a row)."""
