"""On demand: what operators ask of many nodes of the fleet, in batches, by a plan that the journal holds."""
