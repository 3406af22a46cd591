package mqtt

import (
	"errors"
	"fmt"
	"strings"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/order"
)

// Profile is what a broker cannot do that others can. Topics and payloads keep to what all of them carry.
type Profile struct {
	Name string
	// Filters bounds the subscriptions of one client, 0 is no bound.
	Filters int
	// NoSpace says that topics may not contain spaces.
	NoSpace bool
	// Copies says that a message passing two filters arrives twice.
	Copies bool
}

var profiles = []Profile{
	{Name: "generic"},
	{Name: "aws", Filters: 50},
	{Name: "nats", NoSpace: true, Copies: true},
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
		errs = append(errs, order.CheckFilter(s.Filter), p.topic(s.Filter))
	}
	for _, s := range sends {
		errs = append(errs, order.CheckTopic(s.Topic), p.topic(s.Topic))
	}
	asked := plan(wanted)
	if p.Filters > 0 && len(asked) > p.Filters {
		errs = append(errs, fmt.Errorf("%d topic filters: a broker of profile %s allows %d for one client; join some with "+
			"+ or #", len(asked), p.Name, p.Filters))
	}
	if p.Copies {
		for i, a := range asked {
			for _, b := range asked[i+1:] {
				if order.Overlap(a.Filter, b.Filter) {
					errs = append(errs, fmt.Errorf("topic filters %q and %q overlap: a broker of profile %s would send some "+
						"messages twice", a.Filter, b.Filter, p.Name))
				}
			}
		}
	}
	return errors.Join(errs...)
}

func (p Profile) topic(s string) error {
	if p.NoSpace && strings.Contains(s, " ") {
		return fmt.Errorf("topic %q: a broker of profile %s allows no spaces", s, p.Name)
	}
	return nil
}
