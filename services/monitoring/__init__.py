"""The state of the platform: metrics, the streaming job, and where time went."""
