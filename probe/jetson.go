package probe

import (
	"regexp"
	"strings"
)

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
	chip, module  string
	l4t, jetpack  string
	from, release Evidence
}

var (
	tegraRelease = regexp.MustCompile(`# R(\d+) \(release\), REVISION: (\d+(?:\.\d+)*)`)
	tegraModule  = regexp.MustCompile(`p\d{4}-\d{4}`)
)

// findJetson tells whether the board is a Jetson, and which.
func findJetson(p *Pass, d deviceTree) (jetson, bool) {
	var j jetson
	j.chip, j.from = tegra(p)
	for _, c := range d.compatible {
		if rest, ok := strings.CutPrefix(c, "nvidia,p"); ok && j.module == "" {
			if all := tegraModule.FindAllString("p"+rest, -1); len(all) > 0 {
				j.module = all[len(all)-1] // behind the + that follows the carrier
			}
		}
	}
	release, err := p.Read("/etc/nv_tegra_release")
	p.Doubt("software.jetson", err)
	if m := tegraRelease.FindStringSubmatch(release.Raw); m != nil {
		j.l4t, j.release = m[1]+"."+m[2], release.With(m[0])
		j.jetpack = jetpackOf(j.l4t)
	}
	return j, j.chip != "" || j.l4t != ""
}

func jetpackOf(l4t string) string {
	for v := l4t; strings.Contains(v, "."); v = v[:strings.LastIndex(v, ".")] {
		if jetpack, ok := jetpacks[v]; ok {
			return jetpack
		}
	}
	return ""
}
