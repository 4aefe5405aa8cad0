"""Records whose ids are others: detected in a delivery, or said by a person in a map of old and new ids."""
