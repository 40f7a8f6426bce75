"""Kafka: the topics, and how messages are published, consumed and encoded."""
