// A task program: centre-out reaching with targets that this program sets, for a session with the task `external`.
//
//     decoderd run outside.toml --serve --speed lockstep --participant task=tick --out runs/outside
//     mono task.exe tcp://127.0.0.1:PORT          (the control endpoint that it prints)
//
// It takes part in lockstep as `task`: every tick waits for it, so the session is as repeatable as one without it.
using System;
using System.Collections.Generic;
using System.Linq;
using Decoderd;
using Fields = System.Collections.Generic.Dictionary<string, object>;

sealed class TaskProgram
{
    const int Targets = 8, HoldTicks = 5, TimeoutTicks = 300, RestTicks = 20;
    const double DistanceM = 0.06, RadiusM = 0.02;
    static readonly string[] Ends = {"done", "stopped", "failed"};

    readonly Control control;
    long until; // ticks granted since the session began
    double[] cursor;
    bool over;

    TaskProgram(Control control)
    {
        this.control = control;
        until = (long)control.Ask("describe")["tick"];
    }

    // Grant one more tick, with inputs, and wait until it is over.
    void Step(params Fields[] inputs)
    {
        if (over) return;
        until += 1;
        Reply reply;
        try
        {
            reply = control.Ask("grant", new Fields {
                {"participant", "task"}, {"until", until}, {"inputs", inputs}, {"want", new[] {"tick", "trial"}}});
        }
        catch (ControlException error) when (error.Code == "over")
        {
            over = true;
            return;
        }
        foreach (Fields refused in (List<object>)reply["refused"]) Console.Error.WriteLine("refused: " + refused["message"]);
        var topics = (List<object>)reply["topics"];
        foreach (Message message in topics.Zip(reply.Frames, (topic, body) => Message.Recorded((string)topic, body)))
        {
            if (message.Topic == "tick") cursor = message.Numbers("cursor");
            else Console.WriteLine("trial " + message.Integer("trial") + ": " + message.Text("outcome"));
        }
        over = Ends.Contains((string)reply["state"]);
    }

    static Fields Event(string name) => new Fields {{"op", "task"}, {"event", name}};

    // Rest, reach, hold.
    void Trial(int trial)
    {
        int index = trial % Targets, held = 0;
        double angle = 2 * Math.PI * index / Targets;
        double[] target = {DistanceM * Math.Cos(angle), DistanceM * Math.Sin(angle)};
        for (int tick = 0; tick < RestTicks; tick++) Step();
        Step(Event("start"), new Fields(Event("go")) {{"target", target}, {"radius_m", RadiusM}, {"index", index}});
        for (int waited = 0; held < HoldTicks && waited < TimeoutTicks && !over; waited++)
        {
            double dx = cursor[0] - target[0], dy = cursor[1] - target[1];
            held = Math.Sqrt(dx * dx + dy * dy) < RadiusM ? held + 1 : 0;
            Step();
        }
        Step(new Fields(Event("end")) {{"outcome", held >= HoldTicks ? "success" : "reach_timeout"}});
    }

    static int Main(string[] arguments)
    {
        if (arguments.Length != 1)
        {
            Console.Error.WriteLine("usage: task.exe CONTROL, such as tcp://127.0.0.1:5571");
            return 2;
        }
        try
        {
            using (var control = new Control(arguments[0]))
            {
                var program = new TaskProgram(control);
                program.Step();
                for (int trial = 0; !program.over; trial++) program.Trial(trial);
            }
            return 0;
        }
        catch (Exception error) when (error is ArgumentException || error is ControlException || error is NoAnswerException)
        {
            Console.Error.WriteLine(error.Message);
            return 1;
        }
    }
}
