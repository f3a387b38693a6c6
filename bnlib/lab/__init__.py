"""The workshop: what the chapters measure with. No lesson of bnlib imports it."""
