package probe

import (
	"regexp"
	"strings"
)

// computeCapability of the GPU in each Tegra chip.
var computeCapability = map[string]string{
	"tegra264": "11.0", "tegra234": "8.7", "tegra23x": "8.7", "tegra194": "7.2", "tegra186": "6.2", "tegra210": "5.3",
	"tegra124": "3.2",
}

// jetsonChips is for boards whose device tree says no more than the model.
var jetsonChips = []struct{ model, chip string }{
	{"Thor", "tegra264"}, {"Orin", "tegra234"}, {"Xavier", "tegra194"}, {"TX2", "tegra186"}, {"TX1", "tegra210"},
	{"Jetson Nano", "tegra210"}, {"TK1", "tegra124"},
}

// jetpacks is the JetPack release that brought each release of Linux for Tegra. Where one has no row of its own, the
// row of its first two numbers counts.
var jetpacks = map[string]string{
	"28.1": "3.1", "28.2": "3.2", "28.2.1": "3.2.1", "28.3": "3.3", "28.4": "3.3.2",
	"32.1": "4.2", "32.2": "4.2.1", "32.2.1": "4.2.2", "32.2.3": "4.2.3", "32.3.1": "4.3", "32.4.2": "4.4-dp",
	"32.4.3": "4.4", "32.4.4": "4.4.1", "32.5": "4.5", "32.5.1": "4.5.1", "32.5.2": "4.5.1", "32.6.1": "4.6",
	"32.7.1": "4.6.1", "32.7.2": "4.6.2", "32.7.3": "4.6.3", "32.7.4": "4.6.4", "32.7.5": "4.6.5", "32.7.6": "4.6.6",
	"34.1": "5.0-dp", "34.1.1": "5.0.1-dp", "35.1": "5.0.2", "35.2.1": "5.1", "35.3.1": "5.1.1", "35.4.1": "5.1.2",
	"35.5": "5.1.3", "35.6": "5.1.4", "35.6.1": "5.1.5", "35.6.2": "5.1.5",
	"36.2": "6.0-dp", "36.3": "6.0", "36.4": "6.1", "36.4.3": "6.2", "36.4.4": "6.2.1", "36.4.7": "6.2.1", "36.5": "6.2.2",
	"38.2": "7.0", "38.4": "7.1", "39.2": "7.2",
}

// jetson is what a Jetson board says of itself.
type jetson struct {
	chip, module string
	l4t, jetpack string
	release      Evidence
}

var (
	tegraRelease = regexp.MustCompile(`# R(\d+) \(release\), REVISION: (\d+(?:\.\d+)*)`)
	tegraModule  = regexp.MustCompile(`\+?(p\d{4}-\d{4})`)
)

// findJetson tells whether the board is a Jetson, and which.
func findJetson(p *Pass, d deviceTree) (jetson, bool) {
	var j jetson
	for _, c := range d.compatible {
		if chip, ok := strings.CutPrefix(c, "nvidia,tegra"); ok && j.chip == "" {
			j.chip = "tegra" + chip
		}
		if rest, ok := strings.CutPrefix(c, "nvidia,p"); ok && j.module == "" {
			if all := tegraModule.FindAllStringSubmatch("p"+rest, -1); len(all) > 0 {
				j.module = all[len(all)-1][1] // behind the + that follows the carrier
			}
		}
	}
	nvidia := j.chip != "" || j.module != "" || strings.HasPrefix(d.model.Text(), "NVIDIA")
	for _, c := range jetsonChips {
		if j.chip == "" && (nvidia || strings.Contains(d.model.Text(), "Jetson")) && strings.Contains(d.model.Text(), c.model) {
			j.chip = c.chip
		}
	}
	release, err := p.Read("/etc/nv_tegra_release")
	p.Doubt("software.jetson", err)
	if m := tegraRelease.FindStringSubmatch(release.Raw); m != nil {
		j.l4t, j.release = m[1]+"."+m[2], release.With(m[0])
		j.jetpack = jetpackOf(j.l4t)
	}
	return j, j.chip != "" && (strings.HasPrefix(j.chip, "tegra")) || j.l4t != ""
}

func jetpackOf(l4t string) string {
	for v := l4t; strings.Contains(v, "."); v = v[:strings.LastIndex(v, ".")] {
		if jetpack, ok := jetpacks[v]; ok {
			return jetpack
		}
	}
	return ""
}
