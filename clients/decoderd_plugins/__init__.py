"""Client plug-ins that come with decoderd: perturbations by plan, compaction measures, manifold experiments."""
