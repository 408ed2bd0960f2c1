"""The whole registry on one machine: the programs of a cluster, run by one supervisor in the foreground."""
