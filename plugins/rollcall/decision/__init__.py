"""Decision: accept, hold or reject a gated delivery; and who released it, when and why."""
