"""A fuzzer guided by coverage on everything that reads text or bytes from outside."""
