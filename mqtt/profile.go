package mqtt

import (
	"errors"
	"fmt"
	"strings"

	"github.com/edge-agent/edge-agent/mesh"
)

// Profile is what a broker can carry.
type Profile struct {
	Name string
	// Filters bounds the subscriptions of one client, Levels the / in a topic, Topic and Payload bytes. 0 is no bound.
	Filters, Levels, Topic, Payload int
	// Space says that topics may contain white space.
	Space bool
	// Copies says that a message passing two filters arrives twice.
	Copies bool
}

var profiles = []Profile{
	{Name: "generic", Topic: 1024, Payload: maxPayload, Space: true},
	{Name: "aws", Filters: 50, Levels: 7, Topic: 256, Payload: 128 << 10, Space: true},
	{Name: "nats", Topic: 1024, Payload: maxPayload, Copies: true},
}

// ParseProfile finds a profile by name: generic, which is the default, aws or nats.
func ParseProfile(name string) (Profile, error) {
	if name == "" {
		return profiles[0], nil
	}
	var known []string
	for _, p := range profiles {
		if p.Name == name {
			return p, nil
		}
		known = append(known, p.Name)
	}
	return Profile{}, fmt.Errorf("broker profile %q: want %s", name, strings.Join(known, ", "))
}

// Check says what a broker of this profile cannot carry of all that a node subscribes to and publishes on. Filters that
// others cover do not count: they are not asked for.
func (p Profile) Check(wanted []Subscription, sends []mesh.Send) error {
	var errs []error
	for _, s := range wanted {
		errs = append(errs, CheckFilter(s.Filter), p.topic("topic filter", s.Filter))
	}
	for _, s := range sends {
		errs = append(errs, CheckTopic(s.Topic), p.topic("topic", s.Topic))
	}
	asked := plan(wanted)
	if p.Filters > 0 && len(asked) > p.Filters {
		errs = append(errs, fmt.Errorf("%d topic filters: a broker of profile %s allows %d for one client; join some with "+
			"+ or #", len(asked), p.Name, p.Filters))
	}
	if p.Copies {
		for i, a := range asked {
			for _, b := range asked[i+1:] {
				if Overlap(a.Filter, b.Filter) {
					errs = append(errs, fmt.Errorf("topic filters %q and %q overlap: a broker of profile %s would send some "+
						"messages twice", a.Filter, b.Filter, p.Name))
				}
			}
		}
	}
	return errors.Join(errs...)
}

func (p Profile) topic(what, s string) error {
	switch {
	case p.Topic > 0 && len(s) > p.Topic:
		return fmt.Errorf("%s of %d bytes: a broker of profile %s allows %d", what, len(s), p.Name, p.Topic)
	case p.Levels > 0 && strings.Count(s, "/") > p.Levels:
		return fmt.Errorf("%s %q: a broker of profile %s allows %d levels", what, s, p.Name, p.Levels+1)
	case !p.Space && strings.ContainsAny(s, " \t\r\n\x7f"):
		return fmt.Errorf("%s %q: a broker of profile %s allows no white space", what, s, p.Name)
	}
	return nil
}
