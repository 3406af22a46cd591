package probe

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/edge-agent/edge-agent/mesh"
)

// NFD gives the facts as labels for node-feature-discovery, one NAME=VALUE on a line, as its local source reads them:
// every tag below edge-agent/, and where NFD has a label that says the same, that label too.
func (r Result) NFD() string {
	var labels []string
	words := Vocabulary()
	for _, f := range r.Facts {
		value, ok := f.Tag.Value()
		if !ok {
			value = "true"
		}
		labels = append(labels, "edge-agent/"+labelName(f.Tag.Key())+"="+labelName(value))
		if w, ok := find(words, f.Tag.Key()); ok {
			if name, value := nfdLabel(w, f.Tag.Key(), value); name != "" {
				labels = append(labels, name+"="+labelName(value))
			}
		}
	}
	slices.Sort(labels)
	return strings.Join(slices.Compact(labels), "\n") + "\n"
}

// labelName keeps what a label of Kubernetes may hold, at most 63 bytes of it.
func labelName(text string) string {
	mapped := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '-'
	}, text)
	return strings.Trim(cut(mapped, 63), "._-")
}

// cpuidNames are where NFD's name of a feature is not the kernel's in capitals.
var cpuidNames = map[string]string{
	"AES": "AESNI", "FMA": "FMA3", "SSE4_1": "SSE4", "SSE4_2": "SSE42", "PCLMULQDQ": "CLMUL", "NEON": "ASIMD",
	"DOTPROD": "ASIMDDP", "FP16": "ASIMDHP", "LSE": "ATOMICS",
}

// nfdLabel is the label of NFD, or none where the word has none or one that means something a little different.
func nfdLabel(w Word, key, value string) (string, string) {
	label, major := strings.CutSuffix(w.NFD, ".major")
	switch {
	case label == "", strings.ContainsAny(label, ", {}"), strings.Contains(label, "VENDOR"):
		return "", ""
	case major:
		value, _, _ = strings.Cut(value, ".")
		return label + ".major", value
	case strings.HasSuffix(w.Key, ".NAME"):
		prefix, ok := strings.CutSuffix(label, "NAME")
		if !ok {
			return "", ""
		}
		name := strings.ToUpper(strings.TrimPrefix(key, strings.TrimSuffix(w.Key, "NAME")))
		if other, ok := cpuidNames[name]; ok {
			name = other
		}
		return prefix + strings.ReplaceAll(name, "_", ""), "true"
	case strings.HasSuffix(label, ".present"), strings.HasSuffix(label, ".enabled"), strings.HasSuffix(label, ".capable"),
		w.Unit == "MiB" && strings.HasPrefix(label, "memory-"), label == "cpu-cpuid.HYPERVISOR":
		return label, "true"
	case w.Unit == "count" && !strings.HasSuffix(label, ".count"):
		return "", ""
	}
	return label, value
}

// Prometheus gives the facts and readings in the text format of Prometheus: numbers as gauges, all tags as
// edge_agent_tag, and under node_exporter's names what that says in the same way.
func (r Result) Prometheus(samples []mesh.Sample) string {
	families := map[string][]string{}
	words := Vocabulary()
	for _, f := range r.Facts {
		value, _ := f.Tag.Value()
		families["edge_agent_tag"] = append(families["edge_agent_tag"],
			fmt.Sprintf("edge_agent_tag{key=%q,value=%q,state=%q} 1", f.Tag.Key(), value, f.State))
		w, known := find(words, f.Tag.Key())
		n, numeric := f.Tag.Number()
		if !known || !numeric || w.Unit == "text" {
			continue
		}
		name, labels := metricName(w, f.Tag.Key())
		families[name] = append(families[name], fmt.Sprintf("%s%s %s", name, labels, n))
		if scale, ok := nodeScale(w); ok {
			families[w.Node] = append(families[w.Node], w.Node+labels+" "+
				strconv.FormatFloat(n.Float()*scale, 'g', -1, 64))
		}
	}
	for _, s := range samples {
		families["edge_agent_reading"] = append(families["edge_agent_reading"], fmt.Sprintf(
			"edge_agent_reading{kind=%q,sensor=%q,unit=%q} %s", s.Kind, s.Sensor, s.Unit,
			strconv.FormatFloat(s.Value, 'g', -1, 64)))
	}
	names := make([]string, 0, len(families))
	for name := range families {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "# TYPE %s gauge\n%s\n", name, strings.Join(families[name], "\n"))
	}
	return b.String()
}

// metricName makes a metric of a key: its indices and free names become labels.
func metricName(w Word, key string) (name, labels string) {
	var parts, pairs []string
	pattern, segments := strings.Split(w.Key, "."), strings.Split(key, ".")
	for i, segment := range segments {
		switch pattern[i] {
		case "N":
			pairs = append(pairs, fmt.Sprintf("%s=%q", labelOf(pattern[i-1]), segment))
		case "NAME":
			pairs = append(pairs, fmt.Sprintf("name=%q", segment))
		default:
			parts = append(parts, segment)
		}
	}
	name = "edge_agent_" + strings.ReplaceAll(strings.Join(parts, "_"), "-", "_")
	if len(pairs) > 0 {
		labels = "{" + strings.Join(pairs, ",") + "}"
	}
	return name, labels
}

// labelOf names an index after what it counts; beside a label NAME it must not be called name.
func labelOf(counted string) string {
	if counted == "N" || counted == "NAME" {
		return "part"
	}
	return strings.ReplaceAll(counted, "-", "_")
}

// nodeScale brings a number to the unit in the name of node_exporter's metric.
func nodeScale(w Word) (float64, bool) {
	switch {
	case !strings.HasPrefix(w.Node, "node_"), strings.ContainsAny(w.Node, "{}(), "):
		return 0, false
	case w.Unit == "bytes" && strings.HasSuffix(w.Node, "_bytes"):
		return 1, true
	case w.Unit == "MiB" && strings.HasSuffix(w.Node, "_bytes"):
		return 1 << 20, true
	case w.Unit == "MHz" && strings.HasSuffix(w.Node, "_hertz"):
		return 1e6, true
	}
	return 0, false
}
