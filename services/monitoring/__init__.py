"""What the platform does now: metrics, the state of the job, and where time went."""
