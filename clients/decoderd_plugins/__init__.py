"""Client plug-ins that come with decoderd: perturb by plan, measure compaction, run a manifold experiment."""
