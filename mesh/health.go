package mesh

// Level grades a daemon's health.
type Level uint8

const (
	Healthy Level = iota
	Degraded
	Unhealthy
)

func (l Level) String() string {
	return [...]string{"healthy", "degraded", "unhealthy"}[min(l, Unhealthy)]
}

// Health is a daemon's own view of itself, with a reason unless it is healthy.
type Health struct {
	Level  Level
	Reason string
}
