// Writes every message of the topics named as a line "topic payload-in-hex", from the session's start to its end:
// mono record.exe tcp://127.0.0.1:PORT tick trial ...        (the control endpoint of the session)
using System;
using System.Linq;
using Decoderd;

static class Record
{
    static int Main(string[] arguments)
    {
        if (arguments.Length < 2)
        {
            Console.Error.WriteLine("usage: record.exe CONTROL TOPIC ...");
            return 2;
        }
        try
        {
            using (var control = new Control(arguments[0]))
            using (Follower messages = control.Follow(true, arguments.Skip(1).ToArray()))
                foreach (Message message in messages)
                    Console.WriteLine(message.Topic + " " + string.Concat(message.Body.Select(one => one.ToString("x2"))));
            return 0;
        }
        catch (Exception error) when (error is ArgumentException || error is ControlException || error is NoAnswerException)
        {
            Console.Error.WriteLine(error.Message);
            return 1;
        }
    }
}
