package agent

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/VictoriaMetrics/metrics"

	"github.com/edge-agent/edge-agent/order"
)

// showMetrics writes everything that is counted, in the text format of Prometheus.
func (a *Agent) showMetrics(w http.ResponseWriter, r *http.Request) {
	stats, err := a.host.Stats(r.Context())
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	var page strings.Builder
	err = a.ask(r.Context(), func(k *keeper) {
		for _, s := range stats.Daemons {
			if d := k.daemons[s.ID]; d != nil {
				d.stats = figures{s, true}
			}
		}
		k.last.stats = stats
		k.writeMetrics(&page)
	})
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	_, _ = io.WriteString(w, page.String()) // whoever asked has gone
	metrics.WriteProcessMetrics(w)
	if a.o.Metrics != nil {
		a.o.Metrics(w)
	}
}

func (k *keeper) writeMetrics(w io.Writer) {
	node := k.state()
	gauge(w, "edge_agent_info", 1, "node", string(node.Node), "fleet", node.Fleet, "version", node.Version)
	gauge(w, "edge_agent_boot", float64(node.Boot))
	gauge(w, "edge_agent_uptime_seconds", node.Uptime)
	gauge(w, "edge_agent_connected", truth(node.Connected))
	for _, level := range []order.Grade{order.Healthy, order.Degraded, order.Unhealthy} {
		gauge(w, "edge_agent_health", truth(node.Health.Level == level), "level", string(level))
	}
	gauge(w, "edge_agent_outbox_rows", float64(node.Outbox.Rows))
	gauge(w, "edge_agent_outbox_bytes", float64(node.Outbox.Bytes))
	gauge(w, "edge_agent_outbox_oldest_seconds", float64(node.Outbox.AgeMS)/1000)
	gauge(w, "edge_agent_caps_revision", float64(k.revised))
	s := k.last.stats
	for _, c := range []struct {
		name  string
		value uint64
	}{
		{"groups", s.Groups}, {"inputs_unmatched", s.Unmatched}, {"inputs_unclaimed", s.Unclaimed},
		{"inputs_withheld", s.Withheld}, {"calls_abandoned", s.Abandoned}, {"documents_dropped", k.mail.lost()},
	} {
		counter(w, "edge_agent_"+c.name+"_total", c.value)
	}
	gauge(w, "edge_agent_groups_in_flight", float64(s.InFlight))
	for _, l := range s.Lanes {
		counter(w, "edge_agent_lane_inputs_total", l.Taken, "lane", l.Name)
		counter(w, "edge_agent_lane_full_total", l.Full, "lane", l.Name)
		gauge(w, "edge_agent_lane_depth", float64(l.Depth), "lane", l.Name)
	}
	for _, d := range k.sorted() {
		k.writeDaemon(w, d)
	}
}

func (k *keeper) writeDaemon(w io.Writer, d *daemon) {
	labels := []string{"daemon", string(d.id), "kind", d.want.Spec.Kind, "name", d.name}
	with := func(more ...string) []string { return append(slices.Clone(labels), more...) }
	gauge(w, "edge_agent_daemon_state", 1, with("state", string(d.phase))...)
	gauge(w, "edge_agent_daemon_epoch", float64(d.held.Epoch), labels...)
	gauge(w, "edge_agent_daemon_saturation", d.vitals.saturation, labels...)
	for _, level := range []order.Grade{order.Healthy, order.Degraded, order.Unhealthy} {
		now := truth(order.HealthOf(d.health()).Level == level)
		gauge(w, "edge_agent_daemon_health", now, with("level", string(level))...)
	}
	counter(w, "edge_agent_daemon_restarts_total", d.counts.restarts, labels...)
	counter(w, "edge_agent_daemon_slow_samples_total", d.vitals.slow, labels...)
	counter(w, "edge_agent_daemon_refused_samples_total", d.vitals.refused, labels...)
	for _, kind := range slices.Sorted(maps.Keys(d.counts.errors)) {
		counter(w, "edge_agent_daemon_errors_total", d.counts.errors[kind], with("error", kind)...)
	}
	if !d.stats.read {
		return
	}
	s := d.stats
	gauge(w, "edge_agent_daemon_sequence", float64(s.Head.Link.Sequence), labels...)
	for _, c := range []struct {
		name  string
		value uint64
	}{
		{"events", s.Events}, {"outputs", s.Outputs}, {"failed", s.Failed}, {"crashes", s.Crashes},
		{"poisoned", s.Poisoned}, {"slow", s.Slow}, {"duplicate", s.Duplicate}, {"late", s.Late},
		{"undecoded", s.Undecoded}, {"repeated", s.Repeated}, {"dropped", s.Dropped}, {"rejected", s.Rejected},
		{"spilled", s.Spilled}, {"forgotten_sources", s.Forgotten},
	} {
		counter(w, "edge_agent_daemon_"+c.name+"_total", c.value, labels...)
	}
	gauge(w, "edge_agent_daemon_inbox", float64(s.Inbox), labels...)
	gauge(w, "edge_agent_daemon_inbox_bytes", float64(s.InboxBytes), labels...)
	gauge(w, "edge_agent_daemon_tasks", float64(s.Tasks), labels...)
	p := s.Process
	for _, q := range []struct {
		quantile string
		seconds  float64
	}{{"0.5", p.P50.Seconds()}, {"0.99", p.P99.Seconds()}, {"0.999", p.P999.Seconds()}, {"1", p.Max.Seconds()}} {
		gauge(w, "edge_agent_daemon_process_seconds", q.seconds, with("quantile", q.quantile)...)
	}
	counter(w, "edge_agent_daemon_process_seconds_count", p.Count, labels...)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func gauge(w io.Writer, name string, value float64, labels ...string) {
	metrics.WriteGaugeFloat64(w, series(name, labels), value)
}

func counter(w io.Writer, name string, value uint64, labels ...string) {
	metrics.WriteCounterUint64(w, series(name, labels), value)
}

// series is a name with its labels, given as pairs.
func series(name string, labels []string) string {
	if len(labels) == 0 {
		return name
	}
	pairs := make([]string, 0, len(labels)/2)
	for i := 0; i+1 < len(labels); i += 2 {
		pairs = append(pairs, fmt.Sprintf("%s=%q", labels[i], labels[i+1]))
	}
	return name + "{" + strings.Join(pairs, ",") + "}"
}
