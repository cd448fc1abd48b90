# hacktree: what watches a root on trial until it has said that it is good.	-*- shell-script -*-
#
# subroot.sh calls these functions. What they make is in /run and goes with the next start. It needs no more programs than subroot.sh does.

# ROOT: whether the root is on trial, and the one that the command line names.
trial_is_on()
{
	subroot_argument subroot.trial > /dev/null && [ "$1" = "$(subroot_argument subroot)" ]
}

# ROOT INIT: notes why the root on trial was not entered, if another one was.
trial_missed()
{
	trial_wanted=$(subroot_argument subroot)
	if [ "$1" != "$trial_wanted" ] && trial_is_on "$trial_wanted"; then
		mkdir -p "$subroot_keep/var/lib/hacktree/failed"
		echo "its initrd could not enter it: $(subroot_fault "$subroot_keep" "$trial_wanted" "$2")" > "$subroot_keep/var/lib/hacktree/failed/$trial_wanted"
	fi
}

# ROOT: watches the root if it is on trial. hacktree-good.service says that it is good when the system has started and the checks of health.d
# have passed. Whatever keeps that from happening restarts the machine: a failed check, emergency or rescue mode, a deadline. Two things stop
# systemd itself, and its timers: it crashes, and then it restarts the machine too; or it hangs, which a watchdog notices where there is one.
trial_watch()
{
	trial_is_on "$1" || return 0
	trial_units=/run/systemd/system
	trial_seconds=$(subroot_argument subroot.deadline || echo 600)
	for trial_target in multi-user sysinit emergency rescue; do
		mkdir -p $trial_units/$trial_target.target.wants
	done
	mkdir -p /run/systemd/system.conf.d /run/hacktree
	cat > /run/systemd/system.conf.d/hacktree-trial.conf <<-EOF
		[Manager]
		CrashReboot=yes
		RuntimeWatchdogSec=60
	EOF
	cat > $trial_units/hacktree-good.service <<-EOF
		[Unit]
		Requires=boot-complete.target
		After=boot-complete.target multi-user.target
		FailureAction=reboot-force
		[Service]
		Type=oneshot
		ExecStart=/usr/bin/env hacktree good
		ExecStartPost=-/bin/rm /run/hacktree/on-trial
		ExecStartPost=-/bin/systemctl --no-block stop hacktree-deadline.timer
	EOF
	cat > $trial_units/hacktree-deadline.timer <<-EOF
		[Unit]
		DefaultDependencies=no
		IgnoreOnIsolate=yes
		[Timer]
		OnBootSec=$trial_seconds
	EOF
	trial_unit deadline "it was not good $trial_seconds s after its start; not done: \$(systemctl list-jobs --plain --no-legend | while read -r id unit rest; do echo -n \"\$unit \"; done)"
	trial_unit emergency "it came to emergency or rescue mode; failed: \$(systemctl --failed --plain --no-legend | while read -r unit rest; do echo -n \"\$unit \"; done)"
	echo "$1" > /run/hacktree/on-trial
	ln -s ../hacktree-good.service $trial_units/multi-user.target.wants/hacktree-good.service
	ln -s ../hacktree-deadline.timer $trial_units/sysinit.target.wants/hacktree-deadline.timer
	ln -s ../hacktree-emergency.service $trial_units/emergency.target.wants/hacktree-emergency.service
	ln -s ../hacktree-emergency.service $trial_units/rescue.target.wants/hacktree-emergency.service
}

# NAME REASON: makes the unit hacktree-NAME.service, which notes why the root is not good, and restarts the machine. sh makes words of the reason.
trial_unit()
{
	cat > "/run/hacktree/$1" <<-EOF
		read -r root < /run/hacktree/on-trial
		mkdir -p /sysroot/var/lib/hacktree/failed
		echo "$2" > "/sysroot/var/lib/hacktree/failed/\$root"
	EOF
	cat > "$trial_units/hacktree-$1.service" <<-EOF
		[Unit]
		DefaultDependencies=no
		IgnoreOnIsolate=yes
		ConditionPathExists=/run/hacktree/on-trial
		SuccessAction=reboot-force
		FailureAction=reboot-force
		[Service]
		Type=oneshot
		TimeoutStartSec=30
		ExecStart=/bin/sh /run/hacktree/$1
	EOF
}
