// One finger of a posed hand as a chain of its own: where its points come to when only its angles change.
import { rowsOf } from "./fingers.js";
import { placed, rowOf } from "./hand_model.js";
import { mirrorRotation, multiply, rotate } from "./rotations.js";
import { FINGER_JOINTS, FINGERS, MANO_PARENTS } from "./skeleton.js";
import { add, subtract } from "./vectors.js";

/** A finger to be bent many times a pointer move: a twentieth of the work of posing the whole hand. */
export class FingerChain {
  /**
   * Take a finger out of a hand.
   * @param {import("./hand_model.js").HandModel} model
   * @param {import("./anatomy.js").Anatomy} anatomy
   * @param {import("./hand.js").Hand} hand of either side; its other fingers stay as they are
   * @param {string} finger
   */
  constructor(model, anatomy, hand, finger) {
    this.model = model;
    this.anatomy = anatomy;
    this.hand = hand;
    this.joints = FINGER_JOINTS[finger];
    this.rows = rowsOf(finger);
    this.tip = model.tips[FINGERS.indexOf(finger)];
    this.chain = model.chain(hand);
    const rest = model.rest(hand.betas).joints;
    this.bones = this.joints.map((joint) => subtract(rowOf(rest, joint), rowOf(rest, MANO_PARENTS[joint])));
  }

  /** The finger's angles in the hand it was taken from, three a joint, radians. */
  get angles() {
    const own = this.hand.side === "right" ? (rotation) => rotation : mirrorRotation;
    return this.rows.flatMap((j) => this.anatomy.angles(own(this.hand.handPose[j]), j));
  }

  /** Return the finger's three rotations with other angles, a right hand's. */
  rotations(angles) {
    return this.rows.map((j, place) => this.anatomy.rotation(angles.slice(3 * place, 3 * place + 3), j));
  }

  /**
   * Return where a point of the finger is, metres in the camera's frame.
   * @param {number[]} angles of the finger, three a joint, radians
   * @param {number} point 0 to 2 its joints from the knuckle outwards, 3 its tip
   */
  point(angles, point) {
    const rotations = [...this.chain.rotations];
    const positions = [...this.chain.positions];
    this.rotations(angles).forEach((rotation, place) => {
      const joint = this.joints[place];
      const parent = MANO_PARENTS[joint];
      positions[joint] = add(positions[parent], rotate(rotations[parent], this.bones[place]));
      rotations[joint] = multiply(rotations[parent], rotation);
    });
    const isTip = point === this.joints.length;
    const skinned = () => this.model.skin(this.tip, this.hand.betas, { rotations, positions });
    return placed(isTip ? skinned() : positions[this.joints[point]], this.hand);
  }
}
