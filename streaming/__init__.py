"""The job path: four streaming queries between Kafka, the engine and the warehouse."""
