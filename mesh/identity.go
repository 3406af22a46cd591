package mesh

import "fmt"

// DaemonID names a daemon, uniquely in its fleet.
type DaemonID string

// NodeID names a node of a fleet.
type NodeID string

const maxName = 64

// ParseDaemonID accepts [a-z0-9][a-z0-9_-]{0,63}.
func ParseDaemonID(s string) (DaemonID, error) {
	if err := checkName(s); err != nil {
		return "", fmt.Errorf("daemon id %q: %w", s, err)
	}
	return DaemonID(s), nil
}

// ParseNodeID accepts the same as ParseDaemonID.
func ParseNodeID(s string) (NodeID, error) {
	if err := checkName(s); err != nil {
		return "", fmt.Errorf("node id %q: %w", s, err)
	}
	return NodeID(s), nil
}

func checkName(s string) error {
	if s == "" || len(s) > maxName {
		return fmt.Errorf("must have 1 to %d characters", maxName)
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case i > 0 && (c == '_' || c == '-'):
		default:
			return fmt.Errorf("character %q at %d: want a-z, 0-9, and _ or - after the first", c, i)
		}
	}
	return nil
}
