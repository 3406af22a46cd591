package capability

// Filter says which nodes will do. The zero filter matches every node.
type Filter struct{}
