"""The clock thread: timers set, cancelled and due at once; its last timer and its end."""

from __future__ import annotations

from typing import Any

from tests.simulation.runner import Simulation


def run(simulation: Simulation) -> None:
    """Set and cancel timers from several threads, and from timers."""
    sim = simulation
    module = sim.module("runtime.clock")
    clock = module.process_clock
    fired: dict[int, list[float]] = {}
    due: dict[int, float] = {}
    cancelled: dict[int, bool] = {}

    def act(number: int) -> None:
        fired.setdefault(number, []).append(clock.now())
        if sim.chance(0.1):
            set_one(number + 1000)

    def set_one(number: int) -> Any:
        due[number] = clock.now() + sim.rng.choice((0.0, 0.001, 0.5, 10.0))
        return clock.call_at(due[number], lambda: act(number))

    def use(first: int) -> None:
        for number in range(first, first + sim.rng.randint(1, 6)):
            timer = set_one(number)
            if sim.chance(0.3):  # the next one comes when the clock may be about to end
                sim.time.sleep(max(0.0, due[number] - clock.now()))
            if sim.chance(0.4):
                sim.pause(0.6)
                before = number in fired
                timer.cancel()
                cancelled[number] = before

    def idle() -> None:
        acts: list[float] = []
        timer = module.IdleTimer(clock, 1.0, lambda: acts[-1] if acts else 0.0, lambda: None)
        try:
            timer.start()
            sim.pause(3.0)
        finally:
            timer.cancel()

    if sim.chance(0.3):
        sim.interrupt(within=60)
    threads: list[Any] = []
    try:
        for n in range(1, 4):
            threads.append(sim.thread(lambda n=n: use(100 * n), f"user {n}"))
        use(0)
        idle()
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        pass
    sim.disarm()
    for thread in threads:
        thread.join()
    sim.time.sleep(25.0)
    for number, at in due.items():
        times = fired.get(number, [])
        sim.check(len(times) <= 1, f"timer {number} ran {len(times)} times")
        sim.check(not times or times[0] >= at - 1e-9, f"timer {number} ran too early")
        late_sec = times[0] - at - sim.kernel.slack_sec if times else 0.0
        sim.check(late_sec < 0.1, f"timer {number} ran {late_sec} s too late")
        if number < 1000 and number not in cancelled and not sim.kernel.struck:
            sim.check(times, f"timer {number} never ran")
