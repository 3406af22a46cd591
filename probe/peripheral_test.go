package probe

import "testing"

func TestPeripheralsAreCounted(t *testing.T) {
	wantTags(t, peripheralSubject(), machine{
		"/sys/class/watchdog/watchdog0/": "", "/sys/class/watchdog/watchdog1/": "", "/sys/class/rtc/rtc0/": "",
		"/sys/class/drm/card0-HDMI-A-1/status": "connected\n", "/sys/class/drm/card0-DP-1/status": "disconnected\n",
		"/sys/class/drm/card0/": "", "/sys/class/drm/version": "drm 1.1.0\n",
		"/sys/class/sound/pcmC0D0p/": "", "/sys/class/sound/pcmC0D0c/": "", "/sys/class/sound/pcmC0D3p/": "",
		"/sys/class/sound/controlC0/": "", "/sys/class/leds/ACT/": "", "/sys/class/pwm/pwmchip0/": "",
	}, `
		hardware.watchdog hardware.watchdog.count=2 hardware.rtc hardware.rtc.count=1
		hardware.display.connected hardware.display.connected.count=1
		hardware.audio.playback hardware.audio.playback.count=2 hardware.audio.capture hardware.audio.capture.count=1
		hardware.led hardware.led.count=1 hardware.pwm hardware.pwm.count=1`)
}
