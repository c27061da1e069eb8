"""What was sampled: responses, the formats they come in, and what of them the judge sees."""
