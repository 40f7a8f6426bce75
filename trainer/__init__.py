"""The process that trains models: scenes of kind train, one after another."""
