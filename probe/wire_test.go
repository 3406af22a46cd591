package probe

import "testing"

func TestThermometersOnAWireAreReadInTheBackground(t *testing.T) {
	m := machine{
		wireDevices + "/28-00000a1b2c3d/temperature": "22187\n",
		wireDevices + "/10-000801a2b3c4/w1_slave":    "2d 00 4b 46 ff ff 02 10 19 : crc=19 YES\n2d 00 t=-1250\n",
		wireDevices + "/28-lost/w1_slave":            "ff ff ff ff : crc=c9 NO\nff ff t=-62\n",
		wireDevices + "/28-broken/temperature":       "-273150\n",
		wireDevices + "/3a-switch/":                  "",
		wireDevices + "/w1_bus_master1/":             "",
	}
	if !wireSubject().Slow {
		t.Error("a subject that takes a second for each thermometer is waited for")
	}
	r, err := Run(t.Context(), Options{Tree: m.tree(), Subjects: patient(wireSubject())})
	if err != nil {
		t.Fatal(err)
	}
	if got := lines(r); got != "hardware.sensor.wire.answering=2\n" || len(r.Reports[0].Doubts) != 2 {
		t.Errorf("tags %q, doubts %v", got, r.Reports[0].Doubts)
	}
	want := map[string]float64{"ds18x20/28-00000a1b2c3d": 22.187, "ds18x20/10-000801a2b3c4": -1.25}
	for _, g := range r.Gauges {
		if value, ok := want[g.Name]; !ok || g.Value != value || g.Path != "" {
			t.Errorf("gauge %+v", g)
		}
		delete(want, g.Name)
	}
	if len(want) > 0 {
		t.Errorf("not read: %v", want)
	}
}
