package probe

import "strings"

// peripheralSubject tells the small things that a placement asks for by yes or no.
func peripheralSubject() Subject {
	var words []Word
	for _, k := range peripherals {
		words = append(words, Word{Key: "hardware." + k[0], Meaning: "has " + k[1], From: k[2], Since: "0.1"},
			Word{Key: "hardware." + k[0] + ".count", Unit: "count", Meaning: "how many", From: k[2], Since: "0.1"})
	}
	return Subject{Name: "peripheral", Words: words, Uevents: []string{"watchdog", "rtc", "sound", "drm", "input"},
		Probe: probePeripherals}
}

var peripherals = [...][3]string{
	{"watchdog", "a hardware or software watchdog", "/sys/class/watchdog"},
	{"rtc", "a clock that runs without power", "/sys/class/rtc"},
	{"display.connected", "a display that is plugged in", "/sys/class/drm/*/status"},
	{"audio.playback", "a sound output", "/sys/class/sound/pcm*p"},
	{"audio.capture", "a sound input", "/sys/class/sound/pcm*c"},
	{"led", "LEDs that programs can switch", "/sys/class/leds"},
	{"pwm", "a PWM controller", "/sys/class/pwm"},
}

func probePeripherals(p *Pass) error {
	count := func(key, class string, fits func(name string) bool) {
		names, err := p.List(class)
		p.Doubt("hardware."+key, err)
		n, first := 0, ""
		for _, name := range names {
			if fits(name) {
				if n++; n == 1 {
					first = name
				}
			}
		}
		if n > 0 {
			e := Evidence{Path: class + "/" + first, Raw: p.Real(class + "/" + first)}
			p.Tag("hardware."+key, e)
			p.Count("hardware."+key+".count", int64(n), e)
		}
	}
	prefixed := func(prefix string) func(string) bool {
		return func(name string) bool { return numbered(name, prefix) }
	}
	count("watchdog", "/sys/class/watchdog", prefixed("watchdog"))
	count("rtc", "/sys/class/rtc", prefixed("rtc"))
	count("display.connected", "/sys/class/drm", func(name string) bool {
		return strings.HasPrefix(name, "card") && p.Text("/sys/class/drm/"+name+"/status") == "connected"
	})
	count("audio.playback", "/sys/class/sound", pcm("p"))
	count("audio.capture", "/sys/class/sound", pcm("c"))
	count("led", "/sys/class/leds", func(string) bool { return true })
	count("pwm", "/sys/class/pwm", prefixed("pwmchip"))
	return nil
}

// pcm fits the streams of one direction: pcmC0D0p plays, pcmC0D0c captures.
func pcm(direction string) func(string) bool {
	return func(name string) bool { return strings.HasPrefix(name, "pcmC") && strings.HasSuffix(name, direction) }
}
