package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/edge-agent/edge-agent/capability"
)

// Options says what to probe and how long to wait. The zero value probes this machine.
type Options struct {
	Root     string        // directory that holds another machine's files; empty for this machine
	Tree     Tree          // instead of Root
	Tools    Tools         // programs that may be run; by default those installed here, none for another machine
	Timeout  time.Duration // for each subject; 2 s by default
	Poll     time.Duration // how often Watch asks all subjects; a minute by default
	Subjects []Subject     // Subjects() by default
	Virtual  bool          // tell of virtual network interfaces too
	Operator Operator      // what the operator says, beside the subjects
	Gauges   func([]Gauge) // Watch calls it with every answer: values that a tool said are new each time
	Log      *slog.Logger
	Now      func() time.Time
}

func (o Options) filled() (Options, error) {
	if o.Tree == nil && o.Root != "" && o.Root != "/" {
		tree, err := Dir(o.Root)
		if err != nil {
			return o, err
		}
		o.Tree = tree
	}
	if o.Tree == nil {
		o.Tree = Here()
	}
	if _, live := o.Tree.(here); live && o.Tools == nil {
		o.Tools = Installed
	}
	if o.Subjects == nil {
		o.Subjects = Subjects()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Subjects = append(slices.Clone(o.Subjects), o.Operator.subjects()...)
	o.Timeout = cmp.Or(o.Timeout, 2*time.Second)
	o.Poll = cmp.Or(o.Poll, time.Minute)
	return o, nil
}

// Result is what a machine answered.
type Result struct {
	Time     time.Time
	Facts    []Fact // by tag
	Metadata map[string]string
	Reports  []Report // by subject, in the order asked
	Gauges   []Gauge
}

// Set is the tags of every fact, with the metadata; it fails where that is more than a set may hold.
func (r Result) Set() (capability.Set, error) {
	tags := make([]capability.Tag, len(r.Facts))
	for i, f := range r.Facts {
		tags[i] = f.Tag
	}
	set, err := capability.NewSet(tags...)
	if err != nil {
		return capability.Set{}, fmt.Errorf("what this machine has: %w", err)
	}
	return set.WithMetadata(r.Metadata)
}

// Run asks every subject once and waits for each, the slow ones too. It fails only where the root cannot be opened: a
// subject that fails says so in its report.
func Run(ctx context.Context, o Options) (Result, error) {
	o, err := o.filled()
	if err != nil {
		return Result{}, err
	}
	return collect(o, ask(ctx, o, o.Subjects)), nil
}

// answer is one subject's finished pass.
type answer struct {
	report Report
	pass   *Pass
}

// ask runs the subjects beside each other and waits for each, or for its deadline.
func ask(ctx context.Context, o Options, subjects []Subject) []answer {
	answers := make([]answer, len(subjects))
	waits := make([]<-chan answer, len(subjects))
	for i, s := range subjects {
		waits[i], _ = start(ctx, o, s)
	}
	for i := range waits {
		answers[i] = <-waits[i]
	}
	return answers
}

// start asks one subject. The answer comes within the deadline; returned is closed when the subject has come back. One
// that does not is left behind: it holds its own pass and nothing else.
func start(ctx context.Context, o Options, s Subject) (out <-chan answer, returned <-chan struct{}) {
	_, live := o.Tree.(here)
	began := o.Now()
	timeout := cmp.Or(s.Timeout, o.Timeout)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	p := &Pass{ctx: ctx, tree: o.Tree, tools: o.Tools, live: live, virtual: o.Virtual, subject: s, now: began}
	var err error
	back := make(chan struct{})
	go func() {
		defer close(back)
		err = guarded(s, p)
	}()
	answered := make(chan answer, 1)
	go func() {
		defer cancel()
		select {
		case <-back:
			p.Doubt("", err)
			answered <- answer{finished(p, o.Now().Sub(began)), p}
		case <-ctx.Done():
			reason := fmt.Sprintf("no answer within %s", timeout)
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				reason = ctx.Err().Error()
			}
			answered <- answer{Report{Subject: s.Name, Status: Unsure, Reason: reason, Took: o.Now().Sub(began),
				Doubts: []Doubt{{"", reason}}}, nil}
		}
	}()
	return answered, back
}

func guarded(s Subject, p *Pass) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, cut(string(debug.Stack()), 4096))
		}
	}()
	return s.Probe(p)
}

func finished(p *Pass, took time.Duration) Report {
	slices.SortStableFunc(p.doubts, func(a, b Doubt) int { return cmp.Compare(a.Prefix, b.Prefix) })
	r := Report{Subject: p.subject.Name, Took: took, Doubts: p.doubts}
	switch {
	case len(p.doubts) > 0:
		r.Status, r.Reason = Unsure, p.doubts[0].String()
	case len(p.facts) == 0:
		r.Status = Absent
	}
	return r
}

func collect(o Options, answers []answer) Result {
	r := Result{Time: o.Now(), Metadata: map[string]string{}}
	for _, a := range answers {
		r.Reports = append(r.Reports, a.report)
		if a.pass == nil {
			o.Log.Warn("probe: subject gave no answer", "subject", a.report.Subject, "reason", a.report.Reason)
			continue
		}
		r.Facts = append(r.Facts, a.pass.facts...)
		r.Gauges = append(r.Gauges, a.pass.gauges...)
		for k, v := range a.pass.meta {
			r.Metadata[k] = v
		}
	}
	slices.SortStableFunc(r.Facts, func(a, b Fact) int { return cmp.Compare(a.Tag.String(), b.Tag.String()) })
	r.Facts = slices.CompactFunc(r.Facts, func(a, b Fact) bool { return a.Tag == b.Tag })
	return r
}
