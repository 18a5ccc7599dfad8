package main

import "golang.org/x/sys/unix"

// clock asks the kernel whether somebody keeps its clock right.
func (d *doctor) clock() {
	const check = "clock"
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	switch {
	case err != nil:
		d.say(check, skipped, "", "this system does not tell whether its clock is kept right")
	case state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0:
		d.say(check, warning, "run an NTP client, such as chrony or systemd-timesyncd; in a container its host does", "it says %s, and the kernel does not know it to be right", d.now.UTC().Format(day))
	default:
		d.say(check, fine, "", "%s UTC, kept right within %d ms", d.now.UTC().Format(day), t.Maxerror/1000)
	}
}
