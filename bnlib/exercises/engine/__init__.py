"""How an answer is called, compared and judged; the exercises themselves are data."""
