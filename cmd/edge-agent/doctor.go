package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/edge-agent/edge-agent/agent"
	"github.com/edge-agent/edge-agent/persist"
	"github.com/edge-agent/edge-agent/probe"
)

// doctorCommand says what is wrong here and how to mend it. It changes nothing.
type doctorCommand struct {
	configFlags
	Wait   time.Duration `default:"10s" help:"How long each broker may take to connect, and then to answer."`
	Bundle string        `placeholder:"FILE" help:"Write all that was found to a .tar.gz for others to look at, without secrets."`
}

// outcome is how a check went.
type outcome string

const (
	sound   outcome = "ok"
	warning outcome = "warning" // it works, and could be better
	problem outcome = "problem"
)

// finding is what one check found, and what to do next.
type finding struct {
	Check   string  `json:"check"`
	Verdict outcome `json:"verdict"`
	Found   string  `json:"found"`
	Next    string  `json:"next,omitempty"`
}

// diagnosis is what doctor prints.
type diagnosis struct {
	Good     bool      `json:"good"`
	Findings []finding `json:"findings"`
}

// doctor goes from check to check and remembers what it learned on the way.
type doctor struct {
	settings settings
	wait     time.Duration // for a connection
	echo     time.Duration // for what was sent to come back
	findings []finding

	holder *persist.LockedError // who holds the store, nil if nobody
	kept   *persist.Inventory   // what the store holds, where it could be read
	node   agent.NodeState      // what the running agent says of itself; without a node id there is none
	told   []agent.DaemonState  // and of its daemons
	probed probe.Result
}

func (c *doctorCommand) Run(ctx context.Context, con *console) error {
	d := &doctor{wait: c.Wait, echo: c.Wait}
	bar := con.Progress("looking", 0)
	if d.configuration(c.configFlags) {
		d.secretFiles(c.configFlags)
		d.stateDirectory()
		d.store()
		bar.Step(1)
		d.agent(ctx)
		bar.Step(2)
		d.brokers(ctx)
	}
	bar.Step(3)
	d.machine(ctx)
	bar.Done()
	if c.Bundle != "" {
		if err := d.bundle(ctx, c.Bundle); err != nil {
			return fail(exitFailed, fmt.Errorf("writing the bundle: %w", err), "name a file that can be written with --bundle")
		}
		con.Note("%s holds what was found, without secrets; look through it before you give it away", c.Bundle)
	}
	return d.tell(con)
}

// tell prints the findings; a problem makes the command fail.
func (d *doctor) tell(con *console) error {
	problems := 0
	t := newTable("check", "verdict", "found")
	for _, f := range d.findings {
		text := f.Found
		if f.Next != "" {
			text += ". Next: " + f.Next
		}
		t.Row(f.Check, f.Verdict, text)
		if f.Verdict == problem {
			problems++
		}
	}
	if err := con.Print(diagnosis{Good: problems == 0, Findings: d.findings}, t); err != nil || problems == 0 {
		return err
	}
	noun := "problems"
	if problems == 1 {
		noun = "problem"
	}
	return fail(exitFailed, fmt.Errorf("%d %s", problems, noun), "each problem names the next step")
}

func (d *doctor) fine(check, found string, args ...any) {
	d.findings = append(d.findings, finding{Check: check, Verdict: sound, Found: fmt.Sprintf(found, args...)})
}

// warn and wrong add a finding; next is what to do about it.
func (d *doctor) warn(check, next, found string, args ...any) {
	d.findings = append(d.findings, finding{check, warning, fmt.Sprintf(found, args...), next})
}

func (d *doctor) wrong(check, next, found string, args ...any) {
	d.findings = append(d.findings, finding{check, problem, fmt.Sprintf(found, args...), next})
}

// configuration reads the settings and reports whether there are any to go on with.
func (d *doctor) configuration(flags configFlags) bool {
	const check = "configuration"
	s, err := flags.Settings()
	if err != nil {
		d.wrong(check, asFailure(err).Hint, "%v", err)
		return false
	}
	d.settings = s
	path, _ := flags.file(os.Environ())
	if _, err := os.Stat(path); err != nil {
		path = "no file, only defaults, environment and flags"
	}
	wrong := false
	for id, spec := range s.Daemons {
		if _, err := completeSpec(id, spec); err != nil {
			wrong = true
			d.wrong(check, "edge-agent check names every mistake", "daemon %s: %v", id, err)
		}
	}
	if !wrong {
		d.fine(check, "%s; fleet %s, %d daemons declared", path, s.Fleet, len(s.Daemons))
	}
	return true
}
