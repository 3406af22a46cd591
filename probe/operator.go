package probe

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/edge-agent/edge-agent/capability"
)

// Operator is what the operator says of a machine. It is marked as declared wherever it is shown, and reaches no
// further than keys below devices. and scope:, so that it cannot pass for a measurement.
type Operator struct {
	Tags     []string
	Metadata map[string]string
	Dir      string        // every file in it holds tags, one on a line; lines with # are comments
	Command  []string      // prints tags in the same form
	Timeout  time.Duration // of the command; 10 s by default
}

const maxDeclared = 256 // tags of one source

func (o Operator) subjects() []Subject {
	var all []Subject
	if len(o.Tags) > 0 || len(o.Metadata) > 0 {
		all = append(all, Subject{Name: "config", Probe: func(p *Pass) error {
			for _, text := range o.Tags {
				declare(p, text, Evidence{Path: "the configuration"})
			}
			for k, v := range o.Metadata {
				p.Meta(k, v)
			}
			return nil
		}})
	}
	if o.Dir != "" {
		all = append(all, Subject{Name: "files", Probe: func(p *Pass) error { return declaredFiles(p, o.Dir) }})
	}
	if len(o.Command) > 0 {
		timeout := o.Timeout
		if timeout == 0 {
			timeout = 10 * time.Second
		}
		all = append(all, Subject{Name: "command", Slow: true, Timeout: timeout, Probe: func(p *Pass) error {
			out, err := output(p.ctx, o.Command[0], o.Command[1:]...)
			if err != nil {
				return errors.New(err.Error()) // even a missing command is no answer
			}
			declareLines(p, string(out), o.Command[0])
			return nil
		}})
	}
	return all
}

func declaredFiles(p *Pass, dir string) error {
	names, err := p.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") {
			continue // an editor's
		}
		e, err := p.Read(path.Join(dir, name))
		if err != nil {
			p.Doubt("", err)
			continue
		}
		declareLines(p, e.Raw, e.Path)
	}
	return nil
}

func declareLines(p *Pass, text, from string) {
	n := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if n++; n > maxDeclared {
			p.Doubt("devices", fmt.Errorf("%s: more than %d tags", from, maxDeclared))
			return
		}
		declare(p, line, Evidence{Path: from, Raw: line})
	}
}

// declare states one tag of the operator's, or says why it may not be stated.
func declare(p *Pass, text string, e Evidence) {
	tag, err := capability.Parse(text)
	if err == nil && !strings.HasPrefix(tag.Key(), "devices.") && !strings.HasPrefix(tag.Key(), "scope:") {
		err = errors.New("only tags below devices. and scope: can be declared")
	}
	if err != nil {
		p.Doubt("devices", fmt.Errorf("%s: %q: %w", e.Path, cut(text, 64), err))
		return
	}
	p.state(tag, e, Declared, true)
}
