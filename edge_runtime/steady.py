"""What a bad camera gives, made as good as it gets, before anybody reads it.

Frames of any rate and of any schema go in; frames of view sign69 at an even rate come out, of one
person, with hands that were lost for a moment filled in. Pure: time comes in with the frames.
"""

from fingerpost.edge_runtime.keypoints import SIGN69, KeypointFrame, KeypointSchema, select
from fingerpost.edge_runtime.lost_hands import LostHands, LostHandSettings
from fingerpost.edge_runtime.one_person import OnePerson, PersonSettings
from fingerpost.edge_runtime.resample import Resampler


class Steady:
    """Push a camera's frames.

    somebody_else : with the last frame that was pushed, another person is followed than before
    """

    def __init__(
        self,
        fps: float,
        schema: KeypointSchema,
        aspect: float,
        person: PersonSettings | None = None,
        hands: LostHandSettings | None = None,
    ) -> None:
        self._schema = schema
        self._person = OnePerson(aspect, person)
        self._resampler = Resampler(fps)
        self._hands = LostHands(hands)

    def reset(self) -> None:
        """The next frame begins another stream."""
        self._person.reset()
        self._resampler.reset()
        self._hands.reset()

    @property
    def somebody_else(self) -> bool:
        return self._person.somebody_else

    def push(self, frame: KeypointFrame) -> list[KeypointFrame]:
        """The frames of the even grid that are known now."""
        xyz, confidence = select(frame.xyz, frame.confidence, self._schema, SIGN69)
        # Before the frames are made even: between two people there is nobody.
        seen = self._person.push(KeypointFrame(frame.time_ms, xyz, confidence))
        if self.somebody_else:
            self._hands.reset()
        return [self._hands.push(even) for even in self._resampler.push(seen)]
