package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/edge-agent/edge-agent/capability"
	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/probe"
)

// probeCommand shows what this machine is.
type probeCommand struct {
	Root   string `placeholder:"DIR" help:"Look at the files of another machine, copied below DIR."`
	Tags   bool   `xor:"what" help:"Print the tags alone, one on a line."`
	Why    string `xor:"what" placeholder:"TAG" help:"Say where a tag, or all with a key, comes from."`
	Watch  bool   `xor:"what" help:"Go on, and print what changes."`
	Config string `short:"c" placeholder:"FILE" help:"Configuration with facts of the operator's own."`
}

func (c *probeCommand) Run(ctx context.Context, con *console) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	if c.Watch {
		return c.watch(ctx, con, o)
	}
	r, err := probe.Run(ctx, o)
	if err != nil {
		return fail(exitUsage, err, "--root wants a directory that holds sys, proc or etc")
	}
	switch {
	case c.Tags:
		return printTags(con, r)
	case c.Why != "":
		return why(con, r, c.Why)
	case con.format == formatNFD:
		_, err = io.WriteString(con.Out, r.NFD())
		return err
	case con.format == formatPrometheus:
		_, err = io.WriteString(con.Out, r.Prometheus(c.readings(ctx, r)))
		return err
	}
	err = con.Print(viewProbe(r), factTable(r, time.Now()))
	for _, line := range troubles(r) {
		con.Note("%s", line)
	}
	return err
}

func (c *probeCommand) options() (probe.Options, error) {
	o := probe.Options{Root: c.Root}
	if c.Root != "" && c.Config == "" {
		return o, nil // another machine's operator is not asked
	}
	s, err := configFlags{Config: c.Config}.Settings()
	if err != nil {
		return o, err
	}
	return s.Probe.options(o), nil
}

// options adds what the settings say of the probe.
func (s probeSettings) options(o probe.Options) probe.Options {
	o.Poll, o.Virtual = s.Every, s.Network.Virtual
	o.Operator = probe.Operator{Tags: s.Tags, Metadata: s.Metadata, Dir: s.FactsDir, Command: s.Command}
	return o
}

func (c *probeCommand) readings(ctx context.Context, r probe.Result) []mesh.Sample {
	tree := probe.Here()
	if c.Root != "" {
		copied, err := probe.Dir(c.Root)
		if err != nil {
			return nil
		}
		tree = copied
	}
	return probe.Readings(ctx, tree, r.Gauges, nil)
}

func printTags(con *console, r probe.Result) error {
	tags := make([]string, len(r.Facts))
	for i, f := range r.Facts {
		tags[i] = f.Tag.String()
	}
	if con.JSON() {
		return con.document(tags, "  ")
	}
	_, err := fmt.Fprintln(con.Out, strings.Join(tags, "\n"))
	return err
}

// factView is a fact as it is shown.
type factView struct {
	Tag        capability.Tag `json:"tag"`
	State      string         `json:"state"`
	Since      time.Time      `json:"since"`
	Confidence string         `json:"confidence"`
	Subject    string         `json:"subject"`
	Path       string         `json:"path"`
	Raw        string         `json:"raw"`
	Meaning    string         `json:"meaning,omitzero"`
	Unit       string         `json:"unit,omitzero"`
}

func viewFact(f probe.Fact) factView {
	v := factView{Tag: f.Tag, State: f.State.String(), Since: f.Time, Confidence: f.Evidence.Confidence.String(),
		Subject: f.Source, Path: f.Evidence.Path, Raw: f.Evidence.Raw}
	if _, w, ok := probe.Lookup(f.Tag.Key()); ok {
		v.Meaning, v.Unit = w.Meaning, w.Unit
	}
	return v
}

// probeView is a whole probe as it is shown.
type probeView struct {
	Time     time.Time         `json:"time"`
	Facts    []factView        `json:"facts"`
	Metadata map[string]string `json:"metadata"`
	Subjects []probe.Report    `json:"subjects"`
}

func viewProbe(r probe.Result) probeView {
	v := probeView{Time: r.Time, Facts: []factView{}, Metadata: r.Metadata, Subjects: r.Reports}
	for _, f := range r.Facts {
		v.Facts = append(v.Facts, viewFact(f))
	}
	return v
}

// factTable lists the facts by subject, with the reason to believe each.
func factTable(r probe.Result, now time.Time) *table {
	t := newTable("subject", "tag", "known", "evidence")
	for _, report := range r.Reports {
		subject := report.Subject
		for _, f := range r.Facts {
			if f.Source != report.Subject {
				continue
			}
			t.Row(subject, f.Tag, known(f, now), evidence(f.Evidence))
			subject = ""
		}
	}
	return t
}

// known says how a fact is known, in a word or two where there is nothing to doubt.
func known(f probe.Fact, now time.Time) string {
	text := f.State.String()
	if f.State == probe.LastKnown {
		text += " " + now.Sub(f.Time).Round(time.Second).String() + " ago"
	}
	if f.Evidence.Confidence != probe.High {
		text += ", " + f.Evidence.Confidence.String() + " confidence"
	}
	return text
}

const maxEvidence = 40 // characters of what was read, in a table

func evidence(e probe.Evidence) string {
	raw := strings.Join(strings.Fields(e.Text()), " ")
	if runes := []rune(raw); len(runes) > maxEvidence {
		raw = string(runes[:maxEvidence-1]) + "…"
	}
	if raw == "" {
		return e.Path
	}
	return e.Path + ": " + raw
}

// troubles are the subjects that could not tell, with the reason.
func troubles(r probe.Result) []string {
	var all []string
	for _, report := range r.Reports {
		if report.Status == probe.Unsure {
			all = append(all, fmt.Sprintf("%s could not tell: %s", report.Subject, firstLine(report.Reason)))
		}
	}
	return all
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// why shows all there is to know about a tag, or about every tag with a key.
func why(con *console, r probe.Result, asked string) error {
	asked = strings.ToLower(asked)
	var views []factView
	var b strings.Builder
	for _, f := range r.Facts {
		if f.Tag.String() != asked && f.Tag.Key() != asked {
			continue
		}
		v := viewFact(f)
		views = append(views, v)
		fmt.Fprintf(&b, "%s\n  means       %s\n  known       %s, %s confidence, at %s\n  subject     %s\n  read from   %s\n",
			v.Tag, meaning(v), v.State, v.Confidence, v.Since.Format(time.RFC3339), v.Subject, v.Path)
		if v.Raw != "" {
			fmt.Fprintf(&b, "  bytes       %q\n", v.Raw)
		}
	}
	if len(views) > 0 {
		return con.PrintText(views, strings.TrimSuffix(b.String(), "\n"))
	}
	return whyNot(r, asked)
}

func meaning(v factView) string {
	switch {
	case v.Meaning == "":
		return "what the operator declared"
	case v.Unit != "" && v.Unit != "text" && v.Unit != "count":
		return v.Meaning + ", in " + v.Unit
	}
	return v.Meaning
}

// whyNot tells a tag that is not there from one that cannot be.
func whyNot(r probe.Result, asked string) error {
	key, _, _ := strings.Cut(asked, "=")
	subject, _, ok := probe.Lookup(key)
	if !ok {
		return fail(exitUsage, fmt.Errorf("no tag has the key %s", key), "edge-agent probe lists this machine's tags")
	}
	i := slices.IndexFunc(r.Reports, func(report probe.Report) bool { return report.Subject == subject })
	if i < 0 {
		return fail(exitFailed, fmt.Errorf("%s was not asked", subject), "")
	}
	for _, f := range r.Facts {
		if f.Tag.Key() == key {
			return fail(exitFailed, fmt.Errorf("this machine has %s instead of %s", f.Tag, asked), "")
		}
	}
	if r.Reports[i].Status == probe.Unsure {
		return fail(exitFailed, errors.New(firstLine("could not tell: "+r.Reports[i].Reason)), "")
	}
	return fail(exitFailed, fmt.Errorf("this machine has no %s: %s was asked and had a complete answer", key, subject), "")
}

// watch prints the tags, and from then on what comes, goes and is in doubt.
func (c *probeCommand) watch(ctx context.Context, con *console, o probe.Options) error {
	before := map[string]probe.Fact{}
	var failed error
	first := true
	err := probe.Watch(ctx, o, &probe.Memory{}, func(r probe.Result) {
		now := map[string]probe.Fact{}
		for _, f := range r.Facts {
			now[f.Tag.String()] = f
			if old, had := before[f.Tag.String()]; !had || old.State != f.State {
				failed = errors.Join(failed, con.printChange(r.Time, "+", f))
			}
		}
		for text, f := range before {
			if _, there := now[text]; !there {
				failed = errors.Join(failed, con.printChange(r.Time, "-", f))
			}
		}
		before = now
		if first {
			first = false
			con.Note("watching %d tags; Ctrl-C ends it", len(now))
		}
	})
	return errors.Join(err, failed)
}

func (c *console) printChange(at time.Time, sign string, f probe.Fact) error {
	text := fmt.Sprintf("%s %s %s", at.Format("15:04:05.000"), sign, f.Tag)
	if sign == "+" && f.State != probe.Measured {
		text += " (" + f.State.String() + ")"
	}
	return c.PrintLine(struct {
		Time   time.Time `json:"time"`
		Change string    `json:"change"`
		factView
	}{at, map[string]string{"+": "there", "-": "gone"}[sign], viewFact(f)}, text)
}
