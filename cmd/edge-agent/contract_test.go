package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/edge-agent/edge-agent/mesh"
	"github.com/edge-agent/edge-agent/order"
)

// puppetSpec is a puppet or doll that obeys what comes on act/NAME, and each act once.
func puppetSpec(kind, name, config string, more ...string) string {
	return fmt.Sprintf(`{"kind":%q,"config":%s,"inputs":[{"topic":"act/%s","id":{"json":"/n"}}],"outputs":[{"qos":1}]%s}`,
		kind, config, name, strings.Join(more, ""))
}

// tell makes a puppet act. Acts have numbers, so that one which the broker sends again is not done again.
func (r *rig) tell(name, act string) {
	r.t.Helper()
	r.told++
	r.peer.publish("act/"+name, 1, false, fmt.Sprintf(`{"n":%d,%s`, r.told, strings.TrimPrefix(act, "{")))
}

// said are the outputs of a daemon.
func (r *rig) said(id mesh.DaemonID) (payloads []string) {
	r.t.Helper()
	for _, f := range r.frames(id) {
		payloads = append(payloads, string(f.Payload))
	}
	return payloads
}

// hears waits until a daemon has said something with these words.
func (r *rig) hears(id mesh.DaemonID, words string) {
	r.t.Helper()
	r.until(string(id)+" to say "+words, func() bool { return strings.Contains(strings.Join(r.said(id), "\n"), words) },
		func() string { return fmt.Sprint("it said ", r.said(id)) })
}

// happened waits for a lifecycle event of a daemon.
func (r *rig) happened(id mesh.DaemonID, event order.Happening, words string) {
	r.t.Helper()
	r.until(fmt.Sprintf("%s to be %s with %q", id, event, words), func() bool {
		for _, payload := range r.peer.on(r.fleet.Lifecycle(r.node)) {
			var l order.Lifecycle
			if order.Parse(payload, &l) == nil && l.Daemon == id && l.Event == event && strings.Contains(l.Reason, words) {
				return true
			}
		}
		return false
	})
}

func (r *rig) metric(line string) {
	r.t.Helper()
	r.until("the metric "+line, func() bool {
		var page string
		return r.get("/metrics", &page) == nil && strings.Contains(page, line)
	})
}

func puppets(t *testing.T) *rig { return newRig(t, "edge-agent-puppets").start() }

// Row 1.
func TestNameIsInLogReportAndMetrics(t *testing.T) {
	r := puppets(t)
	report := r.running("p1", 1, puppetSpec("puppet", "p1", "{}"))
	if report.Name != "the puppet p1" {
		t.Errorf("the report calls it %q", report.Name)
	}
	r.metric(`name="the puppet p1"`)
	r.until("the name in the log", func() bool { return strings.Contains(r.log.String(), "the puppet p1") })
}

// Rows 2 and 6.
func TestNodeRefusesWhatItDoesNotMeetAndSaysWhichTerm(t *testing.T) {
	r := puppets(t)
	for id, spec := range map[mesh.DaemonID]string{
		"by-deployment": puppetSpec("puppet", "x", "{}", `,"requires":"hardware.gpu.vram_mb>=99999999"`),
		"by-daemon":     puppetSpec("puppet", "x", `{"requires":"hardware.cpu_threads>=99999"}`),
		"by-capability": puppetSpec("puppet", "x", `{"must":["devices.warp-drive"]}`),
	} {
		r.assign(id, fmt.Sprintf(`{"v":1,"term":0,"generation":1,"state":"run","spec":%s}`, spec))
		report := r.report(id, "refused", func(p order.Report) bool { return p.Refused == order.Unmet })
		if len(report.Unmet) != 1 || report.Unmet[0].Term == "" || report.Unmet[0].Change == "" {
			t.Errorf("%s: unmet is %+v, want one term and what would change it", id, report.Unmet)
		}
	}
	r.running("anywhere", 1, puppetSpec("puppet", "x", "{}", `,"requires":"hardware.cpu_threads>=1"`))
}

// Row 3.
func TestOutputsAreLinkedAndNothingMovesWithoutThem(t *testing.T) {
	r := puppets(t)
	r.running("p1", 1, puppetSpec("puppet", "p1", "{}"))
	r.tell("p1", `{"do":"emit","times":3,"text":"a"}`)
	r.tell("p1", `{"do":"fail","text":"on purpose"}`)
	r.tell("p1", `{"do":"load","value":0}`)
	r.tell("p1", `{"do":"emit","text":"b"}`)
	r.until("four outputs", func() bool { return len(r.frames("p1")) == 4 })
	followChain(t, r, "p1", 4)
	if said := r.said("p1"); !strings.Contains(said[3], `"count":4`) {
		t.Errorf("the last output is %s, want the fourth event counted: a failed one changes state", said[3])
	}
}

// Row 4.
func TestDeferredWorkComesBackAsAnEvent(t *testing.T) {
	r := puppets(t)
	r.running("p1", 1, puppetSpec("puppet", "p1", "{}"))
	r.tell("p1", `{"do":"work","text":"wash","times":3}`)
	r.tell("p1", `{"do":"work","text":"impossible"}`)
	r.hears("p1", "cannot be done")
	r.until("four results", func() bool { return len(r.frames("p1")) == 4 })
	if all := strings.Join(r.said("p1"), " "); strings.Count(all, "done wash") != 3 {
		t.Errorf("the results are %s, want three washed", all)
	}
	r.tell("p1", `{"do":"hang","ms":5}`)
	r.metric(`edge_agent_daemon_slow_total{daemon="p1",kind="puppet",name="the puppet p1"} 1`)
	r.metric(`edge_agent_daemon_process_seconds{daemon="p1",kind="puppet",name="the puppet p1",quantile="0.99"}`)
}

// Rows 8, 10 and 20.
func TestStateAndChainSurviveRestartAndKill(t *testing.T) {
	r := puppets(t)
	r.running("p1", 1, puppetSpec("puppet", "p1", "{}"))
	for i := range 4 {
		r.tell("p1", `{"do":"emit","text":"x"}`)
		r.until("an output", func() bool { return newest(r.frames("p1")) == uint64(i+1) })
		if i%2 == 0 {
			r.stop()
		} else {
			r.kill()
		}
		r.start()
	}
	r.tell("p1", `{"do":"emit","text":"last"}`)
	r.hears("p1", `"count":5`)
	followChain(t, r, "p1", 5)
}

// Row 20.
func TestVolatileDaemonBeginsANewIncarnation(t *testing.T) {
	r := puppets(t)
	r.running("d1", 1, puppetSpec("doll", "d1", "{}", `,"durability":"volatile"`))
	r.tell("d1", `{"do":"emit","text":"one"}`)
	r.until("the first output", func() bool { return len(r.frames("d1")) == 1 })
	r.stop()
	r.start()
	r.online() // what is volatile is dropped before
	r.tell("d1", `{"do":"emit","text":"two"}`)
	r.until("the second output", func() bool { return len(r.frames("d1")) >= 2 })
	first, second := r.frames("d1")[0], r.frames("d1")[1]
	if first.Link.Sequence != 1 || second.Link.Sequence != 1 || second.Incarnation != first.Incarnation+1 {
		t.Errorf("outputs are %d.%d and %d.%d, want sequence 1 in two incarnations", first.Incarnation, first.Link.Sequence,
			second.Incarnation, second.Link.Sequence)
	}
}

// Rows 9 and 11.
func TestStateOfAnotherKindIsRefusedAndKept(t *testing.T) {
	r := puppets(t)
	r.running("p1", 1, puppetSpec("puppet", "p1", "{}"))
	r.tell("p1", `{"do":"emit"}`)
	r.hears("p1", `"count":1`)
	r.assign("p1", fmt.Sprintf(`{"v":1,"term":0,"generation":2,"state":"run","spec":%s}`, puppetSpec("doll", "p1", "{}")))
	report := r.report("p1", "failed", func(p order.Report) bool { return p.State == order.Failed && p.Generation == 2 })
	if !strings.Contains(report.Error, "puppet") || !strings.Contains(report.Error, "p1") {
		t.Errorf("the error is %q: want daemon and kind named", report.Error)
	}
	r.running("p1", 3, puppetSpec("puppet", "p1", "{}"))
	r.tell("p1", `{"do":"emit"}`)
	r.hears("p1", `"count":2`)
}

// Rows 13 and 19.
func TestHealthIsInReportLifecycleAndMetrics(t *testing.T) {
	r := puppets(t)
	r.running("p1", 1, puppetSpec("puppet", "p1", "{}"))
	r.happened("p1", order.Registered, "")
	r.tell("p1", `{"do":"say","value":1,"text":"too warm"}`)
	r.happened("p1", order.HealthChanged, "too warm")
	r.report("p1", "degraded", func(p order.Report) bool { return p.Health != nil && p.Health.Level == order.Degraded })
	r.metric(`edge_agent_daemon_health{daemon="p1",kind="puppet",name="the puppet p1",level="degraded"} 1`)
	r.assign("p1", `{"v":1,"term":0,"generation":2,"state":"stop"}`)
	r.happened("p1", order.Unregistered, "")
}

// Rows 14 and 15.
func TestSlowHealthIsAskedLessAndNaNIsRefused(t *testing.T) {
	r := puppets(t)
	r.running("p1", 1, puppetSpec("puppet", "p1", "{}"))
	r.tell("p1", `{"do":"load","value":7}`)
	r.report("p1", "full saturation", func(p order.Report) bool { return p.Saturation > 0.6 && p.Saturation <= 1 })
	r.happened("p1", order.SaturationChanged, "")
	r.tell("p1", `{"do":"load","text":"nan"}`)
	r.until("a refused sample", func() bool {
		var page string
		return r.get("/metrics", &page) == nil &&
			!strings.Contains(page, `edge_agent_daemon_refused_samples_total{daemon="p1",kind="puppet",name="the puppet p1"} 0`)
	})
	r.tell("p1", `{"do":"say","value":0,"ms":20}`)
	r.until("a slow sample", func() bool {
		var page string
		return r.get("/metrics", &page) == nil &&
			!strings.Contains(page, `edge_agent_daemon_slow_samples_total{daemon="p1",kind="puppet",name="the puppet p1"} 0`)
	})
}

// Row 16.
func TestDrainAndShutdownReachTheDaemon(t *testing.T) {
	r := puppets(t)
	r.running("p1", 1, puppetSpec("puppet", "p1", "{}"))
	command := func(id, body string) order.Ack {
		r.peer.publish(r.fleet.Commands(r.node), 1, false,
			fmt.Sprintf(`{"v":1,"id":%q,"expires":"2999-01-01T00:00:00Z",%s}`, id, body))
		var ack order.Ack
		r.until("the command "+id+" to end", func() bool {
			for _, payload := range r.peer.on(r.fleet.Ack(r.node)) {
				ack = order.Ack{}
				if order.Parse(payload, &ack) == nil && ack.ID == id &&
					(ack.State == order.Done || ack.State == order.CommandFailed) {
					return true
				}
			}
			return false
		})
		return ack
	}
	if ack := command("c1", `"do":"drain","daemon":"p1","grace":"20s"`); ack.State != order.Done {
		t.Errorf("draining is %s: %s", ack.State, ack.Reason)
	}
	r.report("p1", "stopped", func(p order.Report) bool { return p.State == order.Stopped })
	if ack := command("c2", `"do":"restart","daemon":"p1"`); ack.State != order.Done {
		t.Errorf("restarting is %s: %s", ack.State, ack.Reason)
	}
	r.report("p1", "running", func(p order.Report) bool { return p.State == order.Running })
	if ack := command("c3", `"do":"snapshot","daemon":"nobody"`); ack.State != order.CommandFailed ||
		!strings.Contains(ack.Reason, mesh.ErrNotFound.Error()) {
		t.Errorf("a snapshot of nobody is %s: %s", ack.State, ack.Reason)
	}
	if ack := command("c4", `"do":"snapshot","daemon":"p1"`); ack.State != order.Done {
		t.Errorf("a snapshot is %s: %s", ack.State, ack.Reason)
	}
	if ack := command("c5", `"do":"lease"`); ack.State != order.CommandFailed {
		t.Errorf("a lease is %s, want failed", ack.State)
	}
}

// Rows 18 and 19, and poison.
func TestPanicIsRetriedFromCommittedStateAndThenSetAside(t *testing.T) {
	r := puppets(t)
	r.running("p1", 1, puppetSpec("puppet", "p1", "{}"))
	r.running("p2", 1, puppetSpec("puppet", "p2", "{}"))
	r.tell("p1", `{"do":"emit","text":"before"}`)
	r.tell("p1", `{"do":"panic","text":"on purpose"}`)
	r.tell("p1", `{"do":"emit","text":"after"}`)
	r.tell("p2", `{"do":"emit","text":"undisturbed"}`)
	r.hears("p2", "undisturbed")
	r.hears("p1", "after")
	r.happened("p1", order.Crashed, "on purpose")
	if said := r.said("p1"); len(said) != 2 || !strings.Contains(said[1], `"count":2`) {
		t.Errorf("it said %s: want two outputs, and the panic not counted", said)
	}
	followChain(t, r, "p1", 2)
	var poison []struct {
		Daemon  mesh.DaemonID
		Payload []byte
	}
	r.until("the event to be listed as poison", func() bool { return r.get("/poison", &poison) == nil && len(poison) == 1 })
	if poison[0].Daemon != "p1" || !strings.Contains(string(poison[0].Payload), "on purpose") {
		t.Errorf("poison is %s of %s", poison[0].Payload, poison[0].Daemon)
	}
	r.metric(`edge_agent_daemon_errors_total{daemon="p1",kind="puppet",name="the puppet p1",error="process failed"} 3`)
}

func TestEventThatKillsTheProcessIsSetAside(t *testing.T) {
	r := puppets(t)
	// Without identity, so that only its twin on record can tell that the event came again.
	r.running("p1", 1, `{"kind":"puppet","config":{},"inputs":[{"topic":"act/p1"}],"outputs":[{"qos":1}]}`)
	r.tell("p1", `{"do":"emit","text":"before"}`)
	r.hears("p1", "before")
	r.tell("p1", `{"do":"exit"}`)
	r.tell("p1", `{"do":"emit","text":"after"}`)
	var poison []json.RawMessage
	listed := func() bool { return r.get("/poison", &poison) == nil && len(poison) == 1 }
	for starts := 0; ; starts++ { // systemd would start it again each time
		died := false
		r.until("the agent to die or to set the event aside", func() bool {
			select {
			case <-r.ended:
				died = true
			default:
			}
			return died || listed()
		})
		if !died {
			break
		}
		if starts == 12 {
			t.Fatal("the agent died 12 times over one event")
		}
		r.launch()
	}
	r.hears("p1", "after")
}

func TestFactoryThatPanicsIsAnswered(t *testing.T) {
	r := puppets(t)
	r.assign("p1", fmt.Sprintf(`{"v":1,"term":0,"generation":1,"state":"run","spec":%s}`,
		puppetSpec("puppet", "p1", `{"hostile":"factory"}`)))
	report := r.report("p1", "refused", func(p order.Report) bool { return p.Refused == order.Invalid })
	if !strings.Contains(report.Error, "a factory that panics") {
		t.Errorf("the error is %q", report.Error)
	}
	r.running("p2", 1, puppetSpec("puppet", "p2", "{}"))
}

func TestDaemonThatNeverReturnsIsQuarantinedAndTheOthersGoOn(t *testing.T) {
	r := puppets(t)
	r.running("bad", 1, puppetSpec("puppet", "bad", "{}"))
	r.running("good", 1, puppetSpec("puppet", "good", "{}"))
	r.tell("good", `{"do":"emit","text":"before"}`)
	r.hears("good", "before")
	r.tell("bad", `{"do":"hang","ms":100000000}`)
	r.tell("good", `{"do":"emit","text":"meanwhile"}`)
	r.hears("good", "meanwhile")
	r.report("bad", "quarantined", func(p order.Report) bool { return p.State == order.Quarantined })
	r.until("the agent to be back", func() bool {
		var s struct{ Boot uint64 }
		return r.get("/state", &s) == nil && s.Boot == 2
	})
	r.tell("good", `{"do":"emit","text":"afterwards"}`)
	r.hears("good", `"count":3`)
	followChain(t, r, "good", 3)
}
