"""The flow sup-tickets in the report: sparse training, and superposing its cheap tickets."""
