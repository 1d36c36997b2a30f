"""The ushers of one cluster: what operators decided reaches all of them, and outlives whoever heard it first."""
