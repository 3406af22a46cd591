package probe

import (
	"cmp"
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var notWord = regexp.MustCompile(`[^a-z0-9]+`)

// plain brings names to letters and digits, so that i.MX8M and imx8m are one.
func plain(text string) string { return notWord.ReplaceAllString(strings.ToLower(text), "") }

// checkJetson holds the probe against the facts known of each Jetson board, where the row tells what to tell them from.
func checkJetson(a *agreement) {
	const family = "jetson-boards"
	var rows []struct {
		Model      string
		Compatible []string
		Release    string `json:"nv_tegra_release"`
		Expect     map[string]any
	}
	if err := json.Unmarshal(content(a.t, filepath.Join(fixtures(a.t), "jetson-boards.json")), &rows); err != nil {
		a.t.Fatal(err)
	}
	for _, row := range rows {
		m := machine{"/proc/device-tree/model": row.Model + "\x00"}
		if len(row.Compatible) > 0 {
			m["/proc/device-tree/compatible"] = strings.Join(row.Compatible, "\x00") + "\x00"
		}
		if row.Release != "" {
			m["/etc/nv_tegra_release"] = row.Release + "\n"
		}
		got := a.told(m.tree(), boardSubject(), gpuSubject(), gpuCapacitySubject())
		for fact, key := range map[string]string{"jetson": "hardware.board.family", "soc": "hardware.soc",
			"module": "hardware.board.module", "l4t": "software.jetson.l4t", "jetpack": "software.jetson.jetpack",
			"compute_capability": "hardware.gpu.compute_capability"} {
			want, told := row.Expect[fact]
			switch {
			case !told, (fact == "l4t" || fact == "jetpack") && row.Release == "" && want != nil,
				fact == "module" && len(row.Compatible) == 0:
				continue // nothing in the row could tell
			case want == nil:
				want = "none"
			case want == true:
				want = "jetson"
			}
			have := one(got[key])
			if pattern, ok := strings.CutSuffix(want.(string), "x"); fact == "soc" && ok && strings.HasPrefix(have, pattern) {
				have = want.(string) // the row names the family of chips
			}
			a.check(family, row.Model, fact, have, want.(string), nil)
		}
	}
}

// checkCPUInfo holds chip against the name of the file, where /proc/cpuinfo names one.
func checkCPUInfo(a *agreement) {
	const family = "sbc-bench-cpuinfo"
	for _, name := range recorded(a.t, family, "*.cpuinfo") {
		m := machine{"/proc/cpuinfo": string(content(a.t, name))}
		base := strings.TrimSuffix(filepath.Base(name), ".cpuinfo")
		got := a.told(m.tree(), boardSubject(), cpuSubject())
		if soc := one(got["hardware.soc"]); soc != "none" {
			a.chip(family, base, base, soc, func() string {
				if sameLetters(base, soc) {
					return "the file's name has the chip's digits in another order"
				}
				return ""
			})
		}
		a.coreNamed(family, base, got)
	}
}

// makers are the companies behind lines of products; other files begin with the maker's own name.
var makers = map[string]string{"galaxy": "samsung", "moto": "motorola", "pixel": "google", "zenfone": "asus",
	"xperia": "sony", "iconia": "acer", "atm7029b": "actions"}

// checkPhones holds the maker against the name of the file, where Android's properties name one, and wants a name for
// every core.
func checkPhones(a *agreement) {
	const family = "pytorch-cpuinfo-fs"
	for _, name := range recorded(a.t, family, "*.json.gz") {
		base := strings.TrimSuffix(filepath.Base(name), ".json.gz")
		line, _, _ := strings.Cut(base, "-")
		tree := files(a.t, name)
		got := a.told(tree, boardSubject(), cpuSubject())
		maker := one(got["hardware.board.vendor"])
		if tree.nodes["/system/build.prop"] != "" && !strings.HasPrefix(line, "nexus") && line != "padcod" {
			want := cmp.Or(makers[line], line)
			if strings.HasPrefix(maker, want) {
				want = maker
			}
			a.check(family, base, "maker", maker, want, nil)
		}
		a.coreNamed(family, base, got)
	}
	for _, name := range recorded(a.t, "pytorch-cpuinfo", "*.log") {
		m := machine{"/proc/cpuinfo": string(content(a.t, name))}
		a.coreNamed("pytorch-cpuinfo", filepath.Base(name), a.told(m.tree(), cpuSubject()))
	}
}

// coreNamed wants names, not numbers, for the cores of which anything is told.
func (a *agreement) coreNamed(family, machine string, got map[string][]string) {
	model := one(got["hardware.cpu.model"])
	if model == "none" {
		return
	}
	have := "yes"
	if strings.Contains(model, "part-") {
		have = model
	}
	a.check(family, machine, "core named", have, "yes", nil)
}

// chip checks that a text which names a chip names the one found, by its number or by the name it is sold under.
func (a *agreement) chip(family, machine, text, soc string, reason func() string) {
	want := text
	for _, name := range append([]string{soc}, strings.FieldsFunc(soldAs[soc], func(r rune) bool {
		return strings.ContainsRune("(),", r)
	})...) {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(plain(name)), "xx", `\w\w`)
		if plain(name) != "" && regexp.MustCompile(pattern).MatchString(plain(text)) {
			want = soc
		}
	}
	a.check(family, machine, "chip", soc, want, reason)
}

func sameLetters(text, soc string) bool {
	sorted := func(s string) string {
		b := []byte(s)
		slices.Sort(b)
		return string(b)
	}
	for text = plain(text); len(text) >= len(soc); text = text[1:] {
		if sorted(text[:len(soc)]) == sorted(soc) {
			return true
		}
	}
	return false
}

// checkReports holds board and chip against the name and the chip given in a whole report of a board.
func checkReports(a *agreement) {
	const family = "sbc-bench-report"
	for _, name := range recorded(a.t, family, "*.txt.gz") {
		report := string(content(a.t, name))
		base, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(name), ".txt.gz"), "--")
		compatible := reported(report, "DT compat:")
		if len(compatible) == 0 {
			continue
		}
		m := machine{"/proc/device-tree/compatible": strings.Join(compatible, "\x00") + "\x00"}
		got := a.told(m.tree(), boardSubject())
		board := strings.Join(got["hardware.board.vendor"], "")
		if !strings.HasSuffix(base, "_") { // else the name of the board did not make it into the file's
			board += strings.Join(got["hardware.board.model"], "")
		}
		a.check(family, base, "board", plain(board), plain(base), nil)
		soc := one(got["hardware.soc"])
		guess := reported(report, "SoC guess:")
		if soc == "none" || len(guess) == 0 {
			continue
		}
		title, _, _ := strings.Cut(report, "\n")
		a.chip(family, base, base+" "+title+" "+guess[0], soc, func() string {
			if strings.Contains(plain(strings.Join(compatible, " ")), plain(soc)) {
				return "the device tree names the chip itself; the report guesses it from the cores"
			}
			return ""
		})
	}
}

// reported gives the lines of a report's field: the first behind its name, the others indented.
func reported(report, field string) []string {
	_, rest, ok := strings.Cut(report, "\n"+field)
	if !ok {
		return nil
	}
	var all []string
	for line := range strings.Lines(rest) {
		text := strings.TrimSpace(line)
		if text == "" || len(all) > 0 && !strings.HasPrefix(line, "           ") {
			break
		}
		all = append(all, text)
	}
	return all
}
