//go:build !linux

package main

func (d *doctor) clock() {
	d.say("clock", skipped, "", "this system does not tell whether its clock is kept right")
}
