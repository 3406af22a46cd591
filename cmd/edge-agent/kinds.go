package main

import (
	"github.com/edge-agent/edge-agent/daemons/counter"
	"github.com/edge-agent/edge-agent/daemons/ewma"
	"github.com/edge-agent/edge-agent/daemons/threshold"
	"github.com/edge-agent/edge-agent/mesh"
)

// kinds are the daemons that are built in.
func kinds() []mesh.Kind {
	return []mesh.Kind{counter.Kind(), ewma.Kind(), threshold.Kind()}
}
